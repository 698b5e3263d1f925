// The names that the build shortens. `npm run check-dist` holds that none of them is a browser's, the language's, the
// wire's or the published types', so that shortening one cannot change what the code means.
export const INTERNAL = `
  nowMs monoMs randomBytes afterMs isHidden isOnline hasGpc storeOf webLocks watchPage postBody hidePage showPage
  comeBack stored captured sealed rank nBytes isBusy isDenied inHand disown owner askToken takeSource forgetUser
  retryAfter waitMs tokenSource shown endsMs asking entriesNow keep removeWhere leavePage adoptOrphans saveQueue expireOld wipe
  openStore turnTo wake pump flushAtExit unblock isTooMuch isDecided refusal sessionNow toItem renew
`
  .trim()
  .split(/\s+/);
