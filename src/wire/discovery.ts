import { object, type Shape, text } from './shape.ts'

/** The answer to `GET /.well-known/till`: what a client may learn of a broker before it has proved anything. */
export interface Discovery {
  /** What the `aud` of an ID token must be. A client checks it against its own; it never obtains a token for it. */
  readonly audience: string
  /** Of Till, such as `0.1.0`. */
  readonly version: string
  readonly jwks_uri: string
  readonly mint_endpoint: string
}

const url = text(/^https?:\/\/[\x21-\x7e]{1,500}$/, 'a URL')

export const discovery: Shape<Discovery> = object(
  {
    audience: text(/^[\x21-\x7e]{1,500}$/, 'an audience'),
    version: text(/^[0-9A-Za-z.+-]{1,64}$/, 'a version'),
    jwks_uri: url,
    mint_endpoint: url,
  },
  {},
  'ignore',
)
