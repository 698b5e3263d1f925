import type { ThumbStrings } from './strings.ts';

export const es: ThumbStrings = {
  group: 'Valorar esta respuesta',
  up: 'Buena respuesta',
  down: 'Mala respuesta',
  ask: 'Cuéntenos más',
  comment: 'Comentario',
  send: 'Enviar',
  close: 'Cerrar',
  thanks: 'Gracias',
  cleared: 'Valoración retirada',
  reasons: {
    incorrect: 'Incorrecta',
    incomplete: 'Incompleta',
    off_topic: 'Fuera de tema',
    unsafe: 'Peligrosa',
    other: 'Otra cosa',
  },
};
