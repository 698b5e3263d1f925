import type { ThumbStrings } from './strings.ts';

export const zh: ThumbStrings = {
  group: '评价此回答',
  up: '回答得好',
  down: '回答得不好',
  ask: '请告诉我们更多',
  comment: '意见',
  send: '发送',
  close: '关闭',
  thanks: '谢谢',
  cleared: '已取消评价',
  reasons: {
    incorrect: '不正确',
    incomplete: '不完整',
    off_topic: '答非所问',
    unsafe: '不安全',
    other: '其他',
  },
};
