//! Projects and who belongs to them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use z4j_core::id::{ProjectId, UserId};
use z4j_core::store::{CreateProject, CreateProjectOutcome, MembershipRow, ProjectRow};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::{audit, row};

const SELECT: &str = "SELECT id, slug, name, created_at FROM projects";

fn read(row: &Row<'_>) -> rusqlite::Result<ProjectRow> {
    Ok(ProjectRow {
        id: row::id(row, "id", ProjectId::from_slice)?,
        slug: row.get("slug")?,
        name: row.get("name")?,
        created_at: row::time(row, "created_at")?,
    })
}

pub(super) fn all(db: &Connection) -> Result<Vec<ProjectRow>, Fault> {
    let mut select = db.prepare_cached(&format!("{SELECT} ORDER BY slug"))?;
    let rows = select.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn by_slug(db: &Connection, slug: &str) -> Result<Option<ProjectRow>, Fault> {
    Ok(db
        .prepare_cached(&format!("{SELECT} WHERE slug = ?1"))?
        .query_row([slug], read)
        .optional()?)
}

pub(super) fn of_user(db: &Connection, user: UserId) -> Result<Vec<MembershipRow>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT id, slug, name, created_at, role FROM memberships JOIN projects ON projects.key = memberships.project
         WHERE user_id = ?1 ORDER BY slug",
    )?;
    let rows = select.query_map([user.as_bytes().as_slice()], |row| {
        Ok(MembershipRow {
            project: read(row)?,
            role: row::parse(row, "role")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn create(
    db: &Connection,
    create: &CreateProject,
) -> Result<CreateProjectOutcome, Fault> {
    let mut find = db.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    if let Some(known) = find
        .query_row([create.id.as_bytes().as_slice()], read)
        .optional()?
    {
        return Ok(CreateProjectOutcome::Created(known));
    }
    if by_slug(db, &create.slug)?.is_some() {
        return Ok(CreateProjectOutcome::SlugTaken);
    }
    insert_or_find(db, create.id, &create.slug, &create.name, create.at)?;
    audit::append(db, &create.audit)?;
    Ok(CreateProjectOutcome::Created(ProjectRow {
        id: create.id,
        slug: create.slug.clone(),
        name: create.name.clone(),
        created_at: create.at,
    }))
}

/// The short key of the project with this slug, which is made when it is absent.
pub(super) fn insert_or_find(
    db: &Connection,
    id: ProjectId,
    slug: &str,
    name: &str,
    at: Timestamp,
) -> Result<i64, Fault> {
    let mut insert = db.prepare_cached(
        "INSERT INTO projects (id, slug, name, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (slug) DO NOTHING",
    )?;
    insert.execute(params![
        id.as_bytes().as_slice(),
        slug,
        name,
        at.as_micros()
    ])?;
    Ok(db
        .prepare_cached("SELECT key FROM projects WHERE slug = ?1")?
        .query_row([slug], |row| row.get(0))?)
}
