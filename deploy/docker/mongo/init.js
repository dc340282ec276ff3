// Run by mongosh --nodb at every `up`: makes the replica set if there is none, then the services' users with the passwords
// of the secrets. Everything here may run again; a changed password file takes effect this way.
const fs = require('fs');
const secret = (name) => fs.readFileSync(`/run/secrets/${name}`, 'utf8').trim();
const SERVICES = ['intake', 'screening', 'alerts', 'assessment'];
const DEADLINE = Date.now() + 120_000;

function attempt(what, action) {
  for (;;) {
    try {
      const result = action();
      if (result) return result;
    } catch (error) {
      if (Date.now() > DEADLINE) throw error;
    }
    if (Date.now() > DEADLINE) throw new Error(`${what}: not done within 120 s`);
    sleep(250);
  }
}

const uri = `mongodb://root:${encodeURIComponent(secret('root.password'))}@mongo:27017/admin`;
const admin = attempt('connect as root', () => {
  const found = connect(`${uri}?directConnection=true&serverSelectionTimeoutMS=2000`);
  return found.adminCommand({ ping: 1 }).ok ? found : null;
});

try {
  admin.adminCommand({ replSetGetStatus: 1 });
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  admin.adminCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: 'mongo:27017' }] } });
  print('replica set rs0 made');
}
attempt('become primary', () => admin.hello().isWritablePrimary);

for (const name of SERVICES) {
  const roles = [{ role: 'readWrite', db: `fengqiao_${name}` }, { role: 'dbAdmin', db: `fengqiao_${name}` }];
  const body = { pwd: secret(`${name}.password`), roles };
  const known = admin.getUser(name) !== null;
  admin.runCommand(known ? { updateUser: name, ...body } : { createUser: name, ...body });
  print(`user ${name} ${known ? 'kept' : 'made'}`);
}
