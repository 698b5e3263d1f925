// The names that the build shortens. `npm run check-dist` holds that none of them is a browser's, the language's, the
// wire's or the published types', so that shortening one cannot change what the code means.
export const INTERNAL = `
  nowMs monoMs randomBytes afterMs isHidden isOnline hasGpc storeOf holdName ifFree watchPage postBody
  comeBack stored captured sealed nBytes nItems isBusy isDenied inHand expire give askToken retryAfter waitMs
  isOpen nPending leavePage adoptOrphans saveQueue forget wipe subjectNow openShelf turnTo
  wake pump flushAtExit unschedule deliver fail isFailing unblock receipts
`
  .trim()
  .split(/\s+/);
