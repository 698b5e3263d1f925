#!/usr/bin/env bash
# Runs once, when the Postgres of docker-compose.yml makes its database: the login that the service works as. It is a
# member of `afterword_app`, owns nothing and may not bypass row-level security; the migrations grant the rest.
set -euo pipefail
: "${AFTERWORD_DB_PASSWORD:?set AFTERWORD_DB_PASSWORD}"

psql --set=ON_ERROR_STOP=1 --set=password="$AFTERWORD_DB_PASSWORD" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
create role afterword_app nologin nosuperuser nobypassrls nocreatedb nocreaterole;
create role afterword_service login nosuperuser nobypassrls nocreatedb nocreaterole
    password :'password' in role afterword_app;
SQL
