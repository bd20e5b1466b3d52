/** Tokens as the provider counts them; `null` where it says nothing. */
export interface Tokens {
  readonly input: number | null
  readonly output: number | null
}

/** Bytes at each end of an answer that are looked at. Providers say what was used in the first event, or at the end. */
const ENDS = 4096

/** Reads from an answer what the provider says it used. Keeps the two ends of the answer, and looks when it is over. */
export class UsageReader {
  #head: Buffer | null = null
  #tail: Buffer[] = []
  #tailLength = 0

  push(chunk: Buffer): void {
    if (this.#head === null) {
      this.#head = chunk
      return
    }
    this.#tail.push(chunk)
    this.#tailLength += chunk.length
    while (this.#tailLength - this.#tail[0]!.length >= ENDS) this.#tailLength -= this.#tail.shift()!.length
  }

  tokens(): Tokens {
    if (this.#head === null) return NOTHING
    const head = this.#head.toString('latin1')
    const ends = head.length > 2 * ENDS ? head.slice(0, ENDS) + head.slice(-ENDS) : head
    return counted(ends + Buffer.concat(this.#tail).toString('latin1').slice(-ENDS))
  }
}

const NOTHING: Tokens = { input: null, output: null }

/** The names of OpenAI and Anthropic, of Chat Completions, and of Gemini. */
const COUNTS: Readonly<Record<string, keyof Tokens>> = {
  input_tokens: 'input',
  output_tokens: 'output',
  prompt_tokens: 'input',
  completion_tokens: 'output',
  promptTokenCount: 'input',
  candidatesTokenCount: 'output',
}
/** Within a text of JSON quotes are escaped, so what a model says is not taken for a count. */
const COUNT = new RegExp(`(?<!\\\\)"(${Object.keys(COUNTS).join('|')})"\\s*:\\s*([0-9]{1,12})(?![0-9])`, 'g')

/** Counts grow while an answer streams: the last one is the whole. */
function counted(text: string): Tokens {
  if (!text.includes('oken')) return NOTHING
  const tokens: { input: number | null; output: number | null } = { ...NOTHING }
  for (const [, name, digits] of text.matchAll(COUNT)) tokens[COUNTS[name!]!] = Number(digits)
  return tokens
}
