import OpenAI, { APIError } from 'openai'

/**
 * The agent of the demo: a program that somebody wrote against the official OpenAI SDK, with no word about Till. The
 * SDK reads `OPENAI_API_KEY` and `OPENAI_BASE_URL`. It asks until it is refused, and prints answers as they stream in.
 */
const openai = new OpenAI()

for (let question = 1; question <= 100; question++) {
  process.stdout.write(`Question ${question}: `)
  try {
    const events = await openai.responses.create({
      model: 'gpt-5-mini',
      input: `In one short sentence: what is good about review number ${question}?`,
      stream: true,
    })
    for await (const event of events) if (event.type === 'response.output_text.delta') process.stdout.write(event.delta)
    process.stdout.write('\n')
  } catch (error) {
    if (!(error instanceof APIError)) throw error
    process.stdout.write(`${error.message}\n`)
    process.exit(1)
  }
}
