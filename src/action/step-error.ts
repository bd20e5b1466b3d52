/** Why the step cannot do its work, in a sentence for the author of the job: safe to print, and says what to do. */
export class StepError extends Error {
  override readonly name = 'StepError'
}
