import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodedCredentials } from '#test/domain/encoded-credentials.ts'
import { bytesOf, raw } from '#test/support/raw-client.ts'
import { answerOf } from '#test/support/raw-upstream.ts'
import { type MintedKey, type PlaneUnderTest, startPlane } from './plane.ts'

let till: PlaneUnderTest
let minted: MintedKey
beforeAll(async () => {
  till = await startPlane()
  minted = await till.mint({ limit: 10 * encodedCredentials.length })
})
afterAll(() => till.close())

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const ask = async (answer: string) => {
  till.upstream.answers((_request, socket) => void socket.write(answer))
  return await raw(till.port, bytesOf('POST /proxy/api/v1/responses', [minted.auth, 'connection: close'], '{}'))
}

describe('T20: a credential that the provider repeats does not reach the job when it is written by', () => {
  test.each(encodedCredentials)('$encoder, of $credential', async ({ credential, text }) => {
    till.credentials.set('api', credential)
    const body = (key: string) => `{"error":"Incorrect API key: ${key}."}`
    const struck = body((credential.includes('*') ? '#' : '*').repeat(text.length))

    const whole = await ask(answerOf(400, [`x-echo: key ${text}`, 'x-fine: 1'], body(text)))
    expect(whole.body).toBe(struck)
    expect(whole.headers).toMatchObject({ 'x-fine': '1' })
    expect(whole.headers).not.toHaveProperty('x-echo')

    const pieces = [...body(text)].map(chunk).join('')
    const streamed = await ask(`HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n${pieces}0\r\n\r\n`)
    expect(streamed.body).toBe(struck)
  })
})
