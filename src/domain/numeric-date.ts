/**
 * An instant in seconds since 1970-01-01T00:00:00Z, leap seconds ignored (RFC 7519, section 2). Whole seconds on the
 * wire and in grants; audit events carry milliseconds as a fraction.
 */
export type NumericDate = number
