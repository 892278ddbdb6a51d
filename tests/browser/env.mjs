// What `cargo xtask test --browser` tells the tests. What it does not tell is an error here, and not an empty word.

import { readFileSync } from 'node:fs';

function told(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing: run cargo xtask test --browser`);
  return value;
}

export const KASIR = told('KASIR_URL');
export const SIMULATOR = told('KASIR_SIMULATOR_URL');
export const DATABASE = told('KASIR_DATABASE');
export const API_KEY = told('KASIR_API_KEY');
export const MODULES = told('KASIR_BROWSER_MODULES');
export const SCREENS = told('KASIR_SCREENS');

const logins = told('KASIR_LOGINS').split('\n').map((line) => {
  const [role, email, password] = line.split(' ');
  return { role, email, password };
});

/** The log-in of somebody of the demo house. */
export function person(email) {
  const found = logins.find((login) => login.email === email);
  if (!found) throw new Error(`kasir printed no log-in of ${email}`);
  return found;
}

export const OWNER = 'ibu.sari@kost.test';
export const VIEWER = 'pak.tono@kost.test';
export const TENANT = 'budi@kost.test';

/** What no page may show, each with its name. The keys of the gateway are known by how they begin. */
export const SECRETS = [
  ['the secret of the installation', readFileSync(told('KASIR_SECRET_FILE'), 'utf8').trim()],
  ['the key of the front end', API_KEY],
  ['the server key', 'SB-Mid-server-'],
  ['the client key', 'SB-Mid-client-'],
  ['the hash of a password', '$argon2'],
  ...logins.map(({ email, password }) => [`the password of ${email}`, password]),
];
