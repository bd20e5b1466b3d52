/** Tokens as the provider counts them; `null` where it says nothing. */
export interface Tokens {
  readonly input: number | null
  readonly output: number | null
}

/** Reads from an answer what the provider says it used. It keeps the ends of the answer, and looks when it is over. */
export interface UsageReader {
  push(chunk: Buffer): void
  tokens(): Tokens
}

/** Bytes at each end of an answer. Providers say it in the first event, or at the end. */
const HEAD = 4096
const TAIL = 16_384

export function usageReader(): UsageReader {
  let head: Buffer | null = null
  let tail: Buffer[] = []
  let length = 0
  return {
    push(chunk) {
      head ??= chunk
      tail.push(chunk)
      length += chunk.length
      while (length - tail[0]!.length >= TAIL) length -= tail.shift()!.length
    },
    tokens() {
      if (head === null) return NOTHING
      const end = Buffer.concat(tail)
      const text = head.toString('latin1', 0, HEAD) + end.toString('latin1', Math.max(0, end.length - TAIL))
      tail = []
      return { input: last(INPUT, text), output: last(OUTPUT, text) }
    },
  }
}

const NOTHING: Tokens = { input: null, output: null }
/** As OpenAI, Anthropic, Chat Completions and Gemini name them. Inside a string of JSON the quotes are escaped. */
const INPUT = /(?<!\\)"(?:input_tokens|prompt_tokens|promptTokenCount)"\s*:\s*([0-9]{1,12})/g
const OUTPUT = /(?<!\\)"(?:output_tokens|completion_tokens|candidatesTokenCount)"\s*:\s*([0-9]{1,12})/g

/** Counts grow while an answer streams: the last one is the whole. */
function last(pattern: RegExp, text: string): number | null {
  let found: number | null = null
  for (const match of text.matchAll(pattern)) found = Number(match[1])
  return found
}
