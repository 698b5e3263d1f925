// posthog-js with its defaults, but for what sends by itself: only the reactions count.
import posthog from 'posthog-js';

window.start = (endpoint) =>
  new Promise((resolve) =>
    posthog.init('phc_0123456789', {
      api_host: endpoint,
      autocapture: false,
      capture_pageview: false,
      capture_pageleave: false,
      disable_session_recording: true,
      disable_surveys: true,
      advanced_disable_flags: true,
      disable_external_dependency_loading: true,
      loaded: resolve,
    }),
  );
window.record = (marker) => posthog.capture('reaction', { marker });
