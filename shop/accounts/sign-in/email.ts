/** The one form in which an address is stored and looked up. */
export const normalizeEmail = (email: string): string => email.trim().toLowerCase()
