/** Tells the story of a demo, and keeps account of what it claims. */
export interface Narrator {
  /** A new chapter. */
  chapter(title: string): void
  say(...lines: string[]): void
  /** What a program printed, set off from what the narrator says. */
  quote(text: string): void
  /** States something that was looked at. `found`, without secrets, is told when it did not hold. */
  claim(sentence: string, held: boolean, found?: unknown): void
  /** The exit status: 0 when every claim held. Says so. */
  end(): number
}

export function narrator(title: string): Narrator {
  const write = (text: string) => process.stdout.write(text)
  const failed: string[] = []
  let chapters = 0
  let claims = 0
  const lines = (text: readonly string[], before: string) =>
    write(`${text.map((line) => `${before}${line}`.trimEnd()).join('\n')}\n`)
  write(`${title}\n`)
  return {
    chapter(title) {
      write(`\n${++chapters}. ${title}\n`)
    },
    say: (...text) => lines(text, '   '),
    quote: (text) => lines(text.trimEnd().split('\n'), '   | '),
    claim(sentence, held, found) {
      claims++
      write(`   ${held ? '✓' : '✗'} ${sentence}\n`)
      if (held) return
      failed.push(sentence)
      if (found !== undefined) lines([`found: ${JSON.stringify(found)}`], '     ')
    },
    end() {
      if (failed.length === 0) write(`\nAll ${claims} claims held.\n`)
      else
        write(`\n${failed.length} of ${claims} claims did not hold:\n${failed.map((line) => `  ✗ ${line}\n`).join('')}`)
      return failed.length === 0 ? 0 : 1
    },
  }
}
