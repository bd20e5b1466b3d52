import { isRefusal } from '#broker/find-grant.ts'
import type { Ask } from '#domain/decide.ts'
import { type Refusal, refusal } from '#domain/refusal.ts'
import { parseRoute, type Route } from '#domain/route.ts'
import { strictJsonObject } from '#domain/strict-json.ts'
import { type MintRequest, mintRequest } from '#wire/mint.ts'
import { ShapeError } from '#wire/shape.ts'

/** Reads the body of a mint. @returns `request_invalid`, which names the field that is not as expected. */
export function readAsk(body: Uint8Array): Ask | Refusal {
  const request = readRequest(body)
  if (isRefusal(request)) return request
  const routes = readRoutes(request.routes)
  if (routes !== undefined && isRefusal(routes)) return routes
  return {
    providers: [...new Set(request.providers)],
    ...(request.policy !== undefined && { policy: request.policy }),
    ...(request.activations !== undefined && { activations: request.activations }),
    ...(request.expires_in !== undefined && { expiresInSeconds: request.expires_in }),
    ...(routes !== undefined && { routes }),
    ...(request.models !== undefined && { models: request.models }),
  }
}

function readRequest(body: Uint8Array): MintRequest | Refusal {
  const value = strictJsonObject(body)
  if (value === null) return invalid('the body: expected one JSON object in UTF-8, with each member once')
  try {
    return mintRequest(value, '')
  } catch (error) {
    if (error instanceof ShapeError) return invalid(error.message)
    throw error
  }
}

function readRoutes(texts: readonly string[] | undefined): readonly Route[] | Refusal | undefined {
  const routes: Route[] = []
  for (const [i, text] of (texts ?? []).entries()) {
    const route = parseRoute(text)
    if (typeof route === 'string') return invalid(`routes[${i}]: ${route}`)
    routes.push(route)
  }
  return texts && routes
}

function invalid(what: string): Refusal {
  return refusal('request_invalid', `Cannot mint a key: ${what}.`)
}
