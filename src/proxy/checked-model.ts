import { isAscii, isUtf8 } from 'node:buffer'
import { JSON_TYPE, type ModelInBody, modelInBody } from '#domain/json-body.ts'

/** The one model that a JSON body names, if there is but one way to read it. */
export function modelOfBody(raw: readonly string[], body: Buffer): ModelInBody {
  const fault = faultOfHead(raw)
  if (fault !== null) return { kind: 'refused', fault }
  if (isAscii(body)) return modelInBody(body.toString('latin1'))
  if (!isUtf8(body)) return { kind: 'refused', fault: 'it is not UTF-8' }
  // A byte order mark stays in this text, and JSON.parse refuses it.
  return modelInBody(body.toString('utf8'))
}

/** @param raw name, value, name, value */
function faultOfHead(raw: readonly string[]): string | null {
  let types = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    // `content-type` and `content-encoding`.
    if (name.length !== 12 && name.length !== 16) continue
    const value = raw[i + 1]!.trim()
    switch (name.toLowerCase()) {
      case 'content-type':
        if (++types > 1 || (value !== 'application/json' && !JSON_TYPE.test(value)))
          return 'its Content-Type is not application/json in UTF-8'
        break
      case 'content-encoding':
        if (value.toLowerCase() !== 'identity') return 'it is encoded (Content-Encoding)'
        break
    }
  }
  return types === 0 ? 'its Content-Type is missing' : null
}
