import type { Discovery } from '#wire/discovery.ts'
import { answer, type Call, type Outcome } from './call.ts'

export async function discover({ control }: Call<null>): Promise<Outcome> {
  const discovery: Discovery = {
    audience: control.audience,
    version: control.version,
    jwks_uri: `${control.publicUrl}/.well-known/jwks.json`,
    mint_endpoint: `${control.publicUrl}/v1/keys`,
  }
  return answer(200, discovery)
}

/** RFC 7517, section 8.5.2, names the media type. */
export async function publicKeys({ control }: Call<null>): Promise<Outcome> {
  return answer(200, control.signer.publicKeys(), 'application/jwk-set+json')
}
