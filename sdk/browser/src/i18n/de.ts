import type { ThumbStrings } from './strings.ts';

export const de: ThumbStrings = {
  group: 'Antwort bewerten',
  up: 'Gute Antwort',
  down: 'Schlechte Antwort',
  ask: 'Mehr dazu',
  comment: 'Kommentar',
  send: 'Senden',
  close: 'Schließen',
  thanks: 'Vielen Dank',
  cleared: 'Bewertung entfernt',
  reasons: {
    incorrect: 'Falsch',
    incomplete: 'Unvollständig',
    off_topic: 'Am Thema vorbei',
    unsafe: 'Bedenklich',
    other: 'Etwas anderes',
  },
};
