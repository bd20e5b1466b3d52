import type { IncomingHttpHeaders } from 'node:http'
import { answer, type Call, type Outcome } from './call.ts'

/** 202 for everything that GitHub has signed: what came of it is the broker's own business. */
export async function receiveWebhook({ control, headers, body }: Call<null>): Promise<Outcome> {
  const refusal = await control.webhook({
    signature: text(headers, 'x-hub-signature-256'),
    id: text(headers, 'x-github-delivery'),
    event: text(headers, 'x-github-event'),
    contentType: text(headers, 'content-type'),
    body,
  })
  return refusal ?? answer(202, { status: 'accepted' })
}

function text(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}
