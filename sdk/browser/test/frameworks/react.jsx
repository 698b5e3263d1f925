// A page of React, of version 18 and 19 alike: two views of one thumb, one that comes and goes, one without a provider.
import { AfterwordProvider, Completion, useAfterword, useThumb } from '@afterword/browser/react';
import { useState } from 'react';

function Thumb({ id, initial }) {
  const thumb = useThumb(id, initial);
  return (
    <p>
      <button type="button" aria-pressed={thumb.value === 'up'} onClick={() => thumb.press('up')}>
        {`up ${id}`}
      </button>
      <button type="button" onClick={() => thumb.set('down', { reasons: ['incorrect'], comment: 'no' })}>
        {`down ${id}`}
      </button>
      <output>{[id, thumb.value, ...thumb.reasons, thumb.comment].join(' ').trim()}</output>
    </p>
  );
}

function Orphan() {
  const aw = useAfterword();
  const thumb = useThumb('nobody');
  return (
    <button type="button" onClick={() => aw.completion('nobody').copy() || thumb.press('up')}>
      orphan
    </button>
  );
}

// Version 18 sets no listeners of elements.
function Element({ id }) {
  const [told, tell] = useState('');
  return (
    <>
      <afterword-thumbs data-completion-id={id} onafterword-change={({ detail }) => tell(detail.value)} />
      <b>{told}</b>
    </>
  );
}

export function App({ client, name }) {
  const [isShown, show] = useState(true);
  const id = (i) => `${name}-${i}`;
  return (
    <>
      <AfterwordProvider client={client}>
        <Completion id={id(1)} as="article" className="answer">
          The answer
        </Completion>
        <Thumb id={id(1)} />
        <Thumb id={id(1)} />
        {isShown && <Thumb id={id(2)} initial="down" />}
        <button type="button" onClick={() => show(!isShown)}>
          toggle
        </button>
        {name === 'react-19' && <Element id={id(3)} />}
      </AfterwordProvider>
      <Orphan />
    </>
  );
}
