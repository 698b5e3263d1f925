import type { ThumbStrings } from './strings.ts';

export const ar: ThumbStrings = {
  group: 'قيّم هذه الإجابة',
  up: 'إجابة جيدة',
  down: 'إجابة سيئة',
  ask: 'أخبرنا بالمزيد',
  comment: 'تعليق',
  send: 'إرسال',
  close: 'إغلاق',
  thanks: 'شكرًا لك',
  cleared: 'أُزيل التقييم',
  reasons: {
    incorrect: 'غير صحيحة',
    incomplete: 'غير مكتملة',
    off_topic: 'خارج الموضوع',
    unsafe: 'غير آمنة',
    other: 'سبب آخر',
  },
  dir: 'rtl',
};
