// The large packages, together and first: what every run uses then lies close together in the snapshot.
import '@exodus/bytes/encoding.js';
import '@pkgjs/parseargs';
import 'sucrase';
import './atomics.mjs';
import 'node-inspect-extracted';
