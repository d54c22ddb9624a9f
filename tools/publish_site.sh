#!/usr/bin/env bash
# Publish a built site: tools/publish_site.sh FOLDER VERSION puts it on the branch gh-pages, in a folder named as its version.
set -eu
html=$(realpath "$1") version=$2 pages=$(mktemp -d)

git worktree add --quiet --detach "$pages"
trap 'git worktree remove --force "$pages"' EXIT
if git -C "$pages" fetch --quiet origin gh-pages; then
  git -C "$pages" checkout --quiet -B gh-pages FETCH_HEAD
else
  git -C "$pages" checkout --quiet --orphan gh-pages
  git -C "$pages" rm -rf --quiet .
fi

rm -rf "${pages:?}/$version"
cp -r "$html" "$pages/$version"
cp "$pages/$version/versions.json" "$pages/versions.json" # the list that the version switcher of all versions reads
echo "<!doctype html><title>surgrad</title><meta http-equiv=\"refresh\" content=\"0; url=$version/\">" > "$pages/index.html"
touch "$pages/.nojekyll"
git -C "$pages" add --all
git -C "$pages" -c user.name=release -c user.email=release@users.noreply.github.com commit --quiet -m "Site of $version"
git -C "$pages" push --quiet origin gh-pages
