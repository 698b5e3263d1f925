-- What an export is compared with, and whether an erasure could delete its files.

alter table exports add column parent_id uuid;
comment on column exports.parent_id is 'The earlier export whose rows the manifest follows, where the request named one.';
alter table exports add column files_deleted_at timestamptz;
comment on column exports.files_deleted_at is 'When its files were deleted: the erasure that revoked it asked for that, or somebody withdrew it.';
grant update (files_deleted_at) on exports to afterword_app;
