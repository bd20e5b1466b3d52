import { readFileSync } from 'node:fs'

/** What an encoder writes of a credential. */
export interface EncodedCredential {
  readonly encoder: string
  readonly credential: string
  readonly text: string
}

/** Written down from the documentation and the sources of the encoders, not from what `src/` makes of them. */
export const encodedCredentials: readonly EncodedCredential[] = readFileSync(
  new URL('../vectors/encoded-credentials.tsv', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => {
    const [encoder, credential, text] = line.split('\t')
    return { encoder: encoder!, credential: credential!, text: text! }
  })
