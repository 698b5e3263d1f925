const query = new URLSearchParams(location.search);
const aw = afterword.setAfterword(
  afterword.createAfterword({ endpoint: query.get('endpoint') ?? 'http://127.0.0.1:8787', token: query.get('key') }),
);
afterword.observe(aw);
