import { Completion, useThumb } from '@afterword/browser/react';

const ANSWERS = [
  { id: 'react-1', text: 'Paris is the capital of France.' },
  { id: 'react-2', text: 'The Seine flows through it.' },
];

/** Buttons of our own, on the hook. */
function Buttons({ id }) {
  const { value, press } = useThumb(id);
  return (
    <p>
      <button type="button" aria-pressed={value === 'up'} onClick={() => press('up')}>
        Helpful
      </button>{' '}
      <button type="button" aria-pressed={value === 'down'} onClick={() => press('down')}>
        Not helpful
      </button>
    </p>
  );
}

export function Chat() {
  const [first, second] = ANSWERS;
  return (
    <>
      <h1>Chat</h1>
      <Completion as="article" id={first.id}>
        <p>{first.text}</p>
      </Completion>
      <afterword-thumbs data-completion-id={first.id} reasons="incorrect|unsafe|tone:Bad tone" comment="" />
      <Completion as="article" id={second.id}>
        <p>{second.text}</p>
      </Completion>
      <Buttons id={second.id} />
    </>
  );
}
