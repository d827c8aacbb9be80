/** A variable that must be set; the service refuses to start without it. */
export function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`environment variable is required: ${name}`);
  return value;
}
