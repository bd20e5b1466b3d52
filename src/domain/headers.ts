/**
 * Which headers pass. Agents send an open list of their own (`anthropic-beta`, `x-stainless-*`), and providers answer
 * with one, so what is taken out is named: by class, with the reason.
 */

/** Of one connection, not of the message (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]

/** What the broker says anew about the message that it sends. */
const FRAMING = ['host', 'content-length', 'expect', 'accept-encoding']

/** Where a credential stands, ours or another's. Names that {@link CREDENTIAL_WORD} finds need no entry. */
const CREDENTIALS = ['cookie', 'cookie2', 'x-amz-security-token', 'x-csrf-token', 'x-xsrf-token']
/** A part of every name that somebody uses for a credential. */
const CREDENTIAL_WORD =
  /auth(?:oriz|entic|-|$)|(?:api|access|subscription|secret|private)-?key|token$|secret|password|credential/

/** Who asked, and from where: what a server behind a gateway believes. */
const FORWARDING = [
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-originating-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-remote-user',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'x-host',
  'x-original-host',
  'x-azure-clientip',
  'client-ip',
  'origin',
  'referer',
]

/** What makes a server take the request for another one than was checked. */
const OVERRIDES = [
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-method',
  'x-original-url',
  'x-original-uri',
  'x-rewrite-url',
  'x-override-url',
]

/** What charges the call to another account, organisation or project than the credential's own. */
const TENANCY = [
  'openai-organization',
  'openai-project',
  'anthropic-organization-id',
  'anthropic-workspace-id',
  'x-goog-user-project',
  'x-goog-request-params',
  'stripe-account',
  'stripe-context',
]

const REQUEST_DROPPED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...FRAMING,
  ...CREDENTIALS,
  ...FORWARDING,
  ...OVERRIDES,
  ...TENANCY,
])
const REQUEST_DROPPED_PREFIXES = ['till-', 'x-forwarded', 'x-envoy-', 'sec-websocket-', 'proxy-', 'cf-', 'cdn-']

/** Cookies of one tenant would reach the next; a redirect would take the client elsewhere with its key. */
const SESSION = ['set-cookie', 'set-cookie2', 'location', 'content-location', 'refresh', 'www-authenticate']

/** What speaks for the origin that the client reached: that is the broker, not the provider. */
const ORIGIN_WIDE = [
  'alt-svc',
  'clear-site-data',
  'strict-transport-security',
  'public-key-pins',
  'expect-ct',
  'nel',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'origin-agent-cluster',
  'content-security-policy',
  'content-security-policy-report-only',
  'x-frame-options',
]

/** Orders to a web server that stands in front of the broker. */
const FRONT_SERVER = ['x-sendfile', 'x-reproxy-url', 'x-lighttpd-send-file']

const ANSWER_DROPPED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'content-length',
  'content-encoding',
  ...SESSION,
  ...ORIGIN_WIDE,
  ...FRONT_SERVER,
])
const ANSWER_DROPPED_PREFIXES = ['till-', 'access-control-', 'x-accel-', 'proxy-']

/** Whether a header of the client may go to the provider. `name` in lower case. */
export function requestHeaderPasses(name: string): boolean {
  return !REQUEST_DROPPED.has(name) && !beginsWithOne(name, REQUEST_DROPPED_PREFIXES) && !CREDENTIAL_WORD.test(name)
}

/** Whether a header of the provider may go to the client. `name` in lower case. */
export function answerHeaderPasses(name: string): boolean {
  return !ANSWER_DROPPED.has(name) && !beginsWithOne(name, ANSWER_DROPPED_PREFIXES)
}

/** What a header may be called: a token of RFC 9110, section 5.6.2. */
export const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** What it may hold when we send it: visible ASCII, blanks, tabs, and bytes above. */
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const IN_VALUE = Uint8Array.from({ length: 256 }, (_, code) => Number(HEADER_VALUE.test(String.fromCharCode(code))))

/** Whether {@link HEADER_VALUE} matches, told in half the time: each header of each request is asked about. */
export function isHeaderValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff || IN_VALUE[code] === 0) return false
  }
  return true
}

/** The bytes that a `Content-Length` announces: 1 to 15 digits, so that they are a number; `null` when it is none. */
export function announcedBytes(text: string): number | null {
  if (text.length === 0 || text.length > 15) return null
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return null
    bytes = bytes * 10 + digit
  }
  return bytes
}

/**
 * The names in a `Connection` header, in lower case: those headers are of the connection too. `null` where it names
 * none that could pass, as nearly every one does: it says `keep-alive`, which is among {@link HOP_BY_HOP}.
 */
export function nominated(connection: string): readonly string[] | null {
  if (connection === 'keep-alive') return null
  return connection
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
}

function beginsWithOne(name: string, prefixes: readonly string[]): boolean {
  for (const prefix of prefixes) if (name.startsWith(prefix)) return true
  return false
}
