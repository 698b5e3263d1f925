//! What a client means to send and what it was told, written down before and after; and the audit of the table
//! against that.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::load::{Item, Table};

/// A journal on disk: every line is there, synced, before the next step is taken.
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

/// What became of everything that was ever to be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    /// Items that a client was told to be stored.
    pub(super) n_acknowledged: usize,
    /// Rows found.
    pub(super) n_rows: usize,
    /// Acknowledged, and not there.
    pub(super) n_lost: usize,
    /// There more than once.
    pub(super) n_duplicated: usize,
    /// There in another project than the sender's.
    pub(super) n_foreign: usize,
    /// There with other content than was sent.
    pub(super) n_altered: usize,
    /// There, and never to be sent.
    pub(super) n_invented: usize,
}

impl Audit {
    /// Checks that nothing is wrong.
    pub(super) fn assert_clean(&self) {
        let Self { n_acknowledged, n_rows, .. } = *self;
        assert_eq!(*self, Self { n_acknowledged, n_rows, ..Self::default() });
        assert!(n_acknowledged > 0 && n_rows >= n_acknowledged, "{self:?}");
    }
}

#[derive(Clone)]
struct Sent {
    project: String,
    fingerprint: String,
    is_acknowledged: bool,
}

impl Journal {
    /// Opens a new journal in a directory.
    pub(super) fn create(directory: &Path) -> Self {
        let path = directory.join("journal");
        Self { file: Mutex::new(File::create_new(&path).unwrap()), path }
    }

    /// Notes items before they are sent.
    pub(super) fn intend(&self, project: &str, items: &[Item]) {
        let line = |item: &Item| format!("intent {} {} {project} {}\n", item.table.name(), item.id, item.fingerprint());
        self.append(&items.iter().map(line).collect::<String>());
    }

    /// Notes items that the service says are stored.
    pub(super) fn acknowledge(&self, items: &[Item]) {
        let line = |item: &Item| format!("ack {} {}\n", item.table.name(), item.id);
        self.append(&items.iter().map(line).collect::<String>());
    }

    fn append(&self, lines: &str) {
        let mut file = self.file.lock().unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        file.sync_data().unwrap();
    }

    /// Compares what the journal says with what the tables hold; the URL is the owner's, who sees every project.
    pub(super) async fn audit(&self, owner_url: &str) -> Audit {
        let sent = self.read();
        let mut audit =
            Audit { n_acknowledged: sent.values().filter(|sent| sent.is_acknowledged).count(), ..Audit::default() };
        let mut n_found: HashMap<&str, usize> = HashMap::new();
        let rows = rows(owner_url).await;
        audit.n_rows = rows.len();
        for row in &rows {
            let Some((key, sent)) = sent.get_key_value(&row.key) else {
                audit.n_invented += 1;
                continue;
            };
            *n_found.entry(key).or_default() += 1;
            audit.n_foreign += usize::from(row.project != sent.project);
            audit.n_altered += usize::from(row.fingerprint != sent.fingerprint);
        }
        audit.n_duplicated = n_found.values().filter(|n_rows| **n_rows > 1).count();
        audit.n_lost =
            sent.iter().filter(|(key, sent)| sent.is_acknowledged && !n_found.contains_key(key.as_str())).count();
        audit
    }

    fn read(&self) -> HashMap<String, Sent> {
        let mut sent: HashMap<String, Sent> = HashMap::new();
        for line in std::fs::read_to_string(&self.path).unwrap().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["intent", table, id, project, fingerprint] => {
                    let (project, fingerprint) = (project.to_owned(), fingerprint.to_owned());
                    sent.insert(format!("{table} {id}"), Sent { project, fingerprint, is_acknowledged: false });
                }
                ["ack", table, id] => sent.get_mut(&format!("{table} {id}")).unwrap().is_acknowledged = true,
                _ => panic!("an unreadable line: {line}"),
            }
        }
        sent
    }
}

/// A row as the journal would have it.
struct Row {
    key: String,
    project: String,
    fingerprint: String,
}

/// Reads every row. The fingerprint is made of the stored columns, and beside them of the hash that was stored with
/// the row, so that neither can be wrong alone.
async fn rows(owner_url: &str) -> Vec<Row> {
    let mut connection = PgConnection::connect(owner_url).await.unwrap();
    let mut rows = Vec::new();
    for table in [Table::Completions, Table::Feedback] {
        let statement = format!(
            "select {} as id, p.name as project, {} as content, encode(t.content_hash, 'hex') as hash
               from {} t join projects p on p.project_id = t.project_id",
            table.id_column(),
            table.content(),
            table.name(),
        );
        for row in sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut connection).await.unwrap() {
            let (id, content): (String, String) = (row.get("id"), row.get("content"));
            rows.push(Row {
                key: format!("{} {id}", table.name()),
                project: row.get("project"),
                fingerprint: super::load::fingerprint(&content, row.get("hash")),
            });
        }
    }
    connection.close().await.unwrap();
    rows
}

#[test]
fn an_audit_that_finds_a_loss_is_not_clean() {
    let audit = Audit { n_acknowledged: 2, n_rows: 2, n_lost: 1, n_invented: 1, ..Audit::default() };

    let caught = std::panic::catch_unwind(|| audit.assert_clean());

    assert!(caught.is_err());
}
