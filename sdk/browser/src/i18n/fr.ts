import type { ThumbStrings } from './strings.ts';

export const fr: ThumbStrings = {
  group: 'Évaluer cette réponse',
  up: 'Bonne réponse',
  down: 'Mauvaise réponse',
  ask: 'Dites-nous en plus',
  comment: 'Commentaire',
  send: 'Envoyer',
  close: 'Fermer',
  thanks: 'Merci',
  cleared: 'Évaluation retirée',
  reasons: {
    incorrect: 'Incorrecte',
    incomplete: 'Incomplète',
    off_topic: 'Hors sujet',
    unsafe: 'Dangereuse',
    other: 'Autre chose',
  },
};
