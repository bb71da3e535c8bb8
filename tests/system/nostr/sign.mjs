// Signs the event template on standard input as a client does. Arguments: 64 hex digits of the secret key, or `public` before them.
import { readFileSync } from 'node:fs'
import { finalizeEvent, getPublicKey, verifyEvent } from 'nostr-tools/pure'

const words = process.argv.slice(2)
const secret = Uint8Array.from(Buffer.from(words.at(-1), 'hex'))
if (words[0] === 'public') {
  console.log(getPublicKey(secret))
} else {
  const template = JSON.parse(readFileSync(0, 'utf8'))
  const event = finalizeEvent({ created_at: Math.floor(Date.now() / 1000), ...template }, secret)
  if (!verifyEvent(event)) throw new Error('it does not verify')
  console.log(JSON.stringify(event))
}
