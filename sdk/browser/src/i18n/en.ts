import type { ThumbStrings } from './strings.ts';

export const en: ThumbStrings = {
  group: 'Rate this answer',
  up: 'Good answer',
  down: 'Bad answer',
  ask: 'Tell us more',
  comment: 'Comment',
  send: 'Send',
  close: 'Close',
  thanks: 'Thank you',
  cleared: 'Rating removed',
  reasons: {
    incorrect: 'Incorrect',
    incomplete: 'Incomplete',
    off_topic: 'Off topic',
    unsafe: 'Unsafe',
    other: 'Something else',
  },
};
