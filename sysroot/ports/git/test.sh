# SPDX-License-Identifier: MIT
export HOME=/tmp/home GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
mkdir -p $HOME && cd /tmp
git --version
git config --global user.name Tester && git config --global user.email tester@example.com
git config --global init.defaultBranch main && git config --global advice.detachedHead false
git init -q first && cd first
seq 200 >numbers && mkdir sub && echo text >sub/file && ln -s sub/file link && git add . && git commit -qm 'One'
sed -i 's/^100$/hundred/' numbers && git diff --stat && git commit -qam 'Two'
git switch -qc side HEAD~ && seq 201 300 >>numbers && git commit -qam 'Side' && git switch -q main
git merge -q -m 'Merged' side && git log --format='%h %s' --graph && git status --short && git describe --always
cd .. && git clone -q first second && git clone -q --bare --no-local first bare.git && cd second
git remote set-url origin /tmp/bare.git && git mv numbers more && git commit -qm 'Renamed' && git push -q 2>&1
git -C ../bare.git log --oneline -M --name-status -1 && git gc -q && git fsck --full 2>&1 && git count-objects -v | grep packs
git archive HEAD | tar -t && git stash list && git grep -n hundred && git blame -L 100,100 more
git clone -q --depth 2 file:///tmp/bare.git ../third && git -C ../third rev-list --count HEAD
git bisect start HEAD HEAD~2 >/dev/null && git bisect run sh -c '! test -e more' | tail -n 1
git format-patch -q -1 --stdout HEAD~ | head -n 1 && git rebase -q HEAD~ 2>&1 && git worktree add -q ../tree && ls ../tree
mkdir -p /tmp/www/cgi-bin && printf '#!/bin/sh\nexec git http-backend\n' >/tmp/www/cgi-bin/git
chmod 755 /tmp/www/cgi-bin/git && git -C /tmp/bare.git config http.receivepack true
GIT_PROJECT_ROOT=/tmp GIT_HTTP_EXPORT_ALL=1 httpd -p 127.0.0.1:8081 -h /tmp/www && cd /tmp
git clone -q http://127.0.0.1:8081/cgi-bin/git/bare.git fourth && cd fourth && git commit -q --allow-empty -m 'By HTTP'
git push -q && git -C /tmp/bare.git log -1 --format=%s
