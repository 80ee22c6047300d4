// A bank's client: reads a declaration and watches its events, with nothing but the protos and a certificate.
// The protos come as build/aval.binpb, the descriptor image that `make setup` builds of protos/ and their imports.
//
//   node bank.js ADDRESS CERTIFICATE_FOLDER CERTIFICATE_NAME DECLARATION_NUMBER [EVENTS]
//
// Prints one JSON document a line: the declaration, then each event, and ends after EVENTS of them.

const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, folder, name, number, events = '0'] = process.argv.slice(2);
const root = path.join(__dirname, '..', '..');
const definition = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(path.join(root, 'build', 'aval.binpb')), {
  keepCase: true, longs: String, enums: String, defaults: false,
});
const { DeclarationsService } = grpc.loadPackageDefinition(definition).aval.declarations.v1;

const file = (suffix) => fs.readFileSync(path.join(folder, name.replaceAll('/', '_') + suffix));
const credentials = grpc.credentials.createSsl(
  fs.readFileSync(path.join(folder, 'ca.crt')), file('.key'), file('.crt'),
);
const client = new DeclarationsService(address, credentials);
// What says nothing about the stream but that it is over.
const RESUMED = new Set([grpc.status.UNAVAILABLE, grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED]);
const print = (value) => console.log(JSON.stringify(value));

client.GetDeclaration({ name: `declarations/${number}` }, (error, declaration) => {
  if (error) {
    print({ error: grpc.status[error.code], message: error.details });
    process.exit(1);
  }
  print({ declaration: declaration.name, status: declaration.status, value: declaration.value });
  watch(Number(events));
});

// A stream may end at any time, and does after five minutes: by an error or, just as well, by a plain end. The resume
// token of its last response goes on where it ended.
function watch(left, resumeToken = '') {
  if (left <= 0) return client.close();
  const stream = client.Watch({ resource: `declarations/${number}`, resume_token: resumeToken });
  stream.on('data', (response) => {
    for (const event of (response.events || []).slice(0, left)) {
      print({ event: event.type, resource: event.resource, id: event.event_id });
      left -= 1;
    }
    // Kept only now, when all the events before it have been dealt with.
    resumeToken = response.resume_token || resumeToken;
    if (left <= 0) stream.cancel();
  });
  stream.on('end', () => resume());
  stream.on('error', (error) => {
    if (left <= 0 || RESUMED.has(error.code)) return resume();
    print({ error: grpc.status[error.code], message: error.details });
    process.exit(1);
  });
  // A stream that fails may end, too: whichever comes first.
  let isOver = false;
  function resume() {
    if (isOver) return;
    isOver = true;
    setTimeout(() => watch(left, resumeToken), left > 0 ? 500 : 0);
  }
}
