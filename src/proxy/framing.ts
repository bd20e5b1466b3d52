import { type Refusal, refusal } from '#domain/refusal.ts'
import type { ClientRequest } from './client.ts'

/** Far below the 1,000 after which Node drops headers without a word: a `Host` could hide there. */
export const MAX_HEADERS = 100

/**
 * What Node's parser lets through and two servers could read in two ways (SECURITY, T19). After such a request nothing
 * on its connection can be trusted: the caller closes it.
 *
 * @returns `null` when the request is framed in the one way there is
 */
export function framingFault(request: ClientRequest): Refusal | null {
  const fault = faultOf(request)
  return fault === null ? null : refusal('request_refused', `The request is refused: ${fault}.`)
}

function faultOf(request: ClientRequest): string | null {
  const { method, url, rawHeaders, httpVersion } = request
  if (!url?.startsWith('/')) return 'its target is not a path'
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'its version of HTTP is neither 1.1 nor 1.0'
  if (method === 'TRACE' || method === 'CONNECT') return `its method is ${method}`
  if (rawHeaders.length > 2 * MAX_HEADERS) return `it has more than ${MAX_HEADERS} headers`

  let hosts = 0
  let lengths = 0
  let encodings = 0
  let hasBody = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    // Every header that is looked at here has one of these lengths.
    const size = name.length
    if (size !== 4 && size !== 6 && size !== 7 && size !== 14 && size !== 17) continue
    const value = rawHeaders[i + 1]!
    switch (name.toLowerCase()) {
      case 'host':
        if (++hosts > 1) return 'it has more than one Host header'
        if (!HOST.test(value)) return 'its Host header is not a host and a port'
        break
      case 'content-length':
        if (++lengths > 1 || !CONTENT_LENGTH.test(value)) return 'its Content-Length is not one plain number'
        if (value !== '0') hasBody = true
        break
      case 'transfer-encoding':
        if (++encodings > 1 || value.toLowerCase() !== 'chunked')
          return 'its Transfer-Encoding is not exactly "chunked"'
        if (httpVersion === '1.0') return 'it has a Transfer-Encoding in HTTP/1.0'
        hasBody = true
        break
      case 'expect':
        if (value.toLowerCase() !== '100-continue') return 'its Expect is not "100-continue"'
        break
      case 'upgrade':
        return 'it asks for another protocol'
    }
  }
  if (hosts === 0 && httpVersion === '1.1') return 'it has no Host header'
  if (lengths > 0 && encodings > 0) return 'it has a Content-Length and a Transfer-Encoding'
  if (hasBody && (method === 'GET' || method === 'HEAD')) return `it has a body, and its method is ${method}`
  return null
}

/** A name or an address, and perhaps a port. Used for nothing else: where a request goes is the provider's record. */
export const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/
const CONTENT_LENGTH = /^(?:0|[1-9][0-9]{0,15})$/
