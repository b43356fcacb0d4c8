//! Projects and who belongs to them.

use sqlx::postgres::PgRow;
use z4j_core::id::{ProjectId, UserId};
use z4j_core::store::{CreateProject, CreateProjectOutcome, MembershipRow, ProjectRow};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, row, text};

fn read(row: &PgRow) -> Result<ProjectRow, Fault> {
    Ok(ProjectRow {
        id: row::id(row, "id", ProjectId::from_uuid)?,
        slug: row::text(row, "slug")?,
        name: row::text(row, "name")?,
        created_at: row::time(row, "created_at")?,
    })
}

pub(super) async fn all(db: &mut Db<'_>) -> Result<Vec<ProjectRow>, Fault> {
    let rows = db
        .sql("SELECT id, slug, name, created_at FROM projects ORDER BY slug")
        .fetch_all(db.conn())
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn by_slug(db: &mut Db<'_>, slug: &str) -> Result<Option<ProjectRow>, Fault> {
    let found = db
        .sql("SELECT id, slug, name, created_at FROM projects WHERE slug = $1")
        .bind(text::put(slug).into_owned())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read).transpose()
}

/// Fails unless there is such a project, as a caller has no reason to doubt.
pub(crate) async fn require(db: &mut Db<'_>, project: ProjectId) -> Result<(), Fault> {
    let found = db
        .sql("SELECT 1 FROM projects WHERE id = $1")
        .bind(*project.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found
        .map(drop)
        .ok_or(Fault::Bug("there is no such project"))
}

pub(super) async fn of_user(db: &mut Db<'_>, user: UserId) -> Result<Vec<MembershipRow>, Fault> {
    let rows = db
        .sql(
            "SELECT id, slug, name, created_at, role FROM memberships
             JOIN projects ON projects.id = memberships.project_id WHERE user_id = $1 ORDER BY slug",
        )
        .bind(*user.as_uuid())
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(MembershipRow {
                project: read(row)?,
                role: row::parse(row, "role")?,
            })
        })
        .collect()
}

pub(super) async fn create(
    db: &mut Db<'_>,
    create: &CreateProject,
) -> Result<CreateProjectOutcome, Fault> {
    let known = db
        .sql("SELECT id, slug, name, created_at FROM projects WHERE id = $1")
        .bind(*create.id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    if let Some(known) = known {
        return Ok(CreateProjectOutcome::Created(read(&known)?));
    }
    let id = insert_or_find(db, create.id, &create.slug, &create.name, create.at).await?;
    if id != create.id {
        return Ok(CreateProjectOutcome::SlugTaken);
    }
    audit::append(db, &create.audit).await?;
    Ok(CreateProjectOutcome::Created(ProjectRow {
        id: create.id,
        slug: create.slug.clone(),
        name: create.name.clone(),
        created_at: create.at,
    }))
}

/// The id of the project with this slug, which is made when it is absent.
pub(super) async fn insert_or_find(
    db: &mut Db<'_>,
    id: ProjectId,
    slug: &str,
    name: &str,
    at: Timestamp,
) -> Result<ProjectId, Fault> {
    let slug = text::put(slug).into_owned();
    db.sql(
        "INSERT INTO projects (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (slug) DO NOTHING",
    )
    .bind(*id.as_uuid())
    .bind(&slug)
    .bind(text::put(name).into_owned())
    .bind(at.as_micros())
    .execute(db.conn())
    .await?;
    let found = db
        .sql("SELECT id FROM projects WHERE slug = $1")
        .bind(&slug)
        .fetch_one(db.conn())
        .await?;
    row::id(&found, "id", ProjectId::from_uuid)
}
