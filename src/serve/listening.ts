import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createHolder } from 'node:net'
import type { Address } from '#config.ts'

/**
 * Where the kernel deals connections to the sockets that share an address (`SO_REUSEPORT`). Elsewhere the primary takes
 * each and hands it over; one that is on its way to a worker that dies then is never answered.
 */
const KERNEL_DEALS = process.platform === 'linux'

/**
 * @param isShared whether other workers of this broker listen on the same address
 * @returns where it listens: the real port when the configuration says 0
 */
export function listen(server: Server, { host, port }: Address, isShared = false): Promise<Address> {
  return new Promise((resolve, reject) => {
    const sharing = isShared && KERNEL_DEALS && { reusePort: true, exclusive: true }
    server.once('error', reject).listen({ port, host, ...sharing }, () => {
      server.off('error', reject)
      resolve({ host, port: (server.address() as AddressInfo).port })
    })
  })
}

/** Finds out that an address is free, since sockets that share one do not object to those of another broker. */
export async function freeAddress(wanted: Address): Promise<Address> {
  const probe = createServer()
  const address = await listen(probe, wanted)
  await new Promise((closed) => probe.close(closed))
  return address
}

/**
 * Holds an address that workers share, against another broker that starts with the same: the kernel would deal
 * connections to both. Only on Linux, where it does; the name stands in no file, and is free again when the process ends.
 *
 * @returns what gives it back. Rejects like a server that finds its address taken
 */
export async function holdAddress({ host, port }: Address): Promise<() => void> {
  if (!KERNEL_DEALS) return () => {}
  const holder = createHolder((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject).listen({ path: `\0till ${host}:${port}`, exclusive: true }, resolve)
  })
  holder.unref()
  return () => void holder.close()
}

/** Answers that are being written get that long; connections without one are closed at once. */
export async function closeServer(server: Server, milliseconds: number): Promise<void> {
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const cut = setTimeout(() => server.closeAllConnections(), milliseconds)
  await new Promise((closed) => server.close(closed))
  clearInterval(idle)
  clearTimeout(cut)
}
