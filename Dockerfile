# No build step: Node runs the sources as they are.
FROM node:24-slim

ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 QUORUM_HOME=/home/node/home QUORUM_DATA=/home/node/data
WORKDIR /app

COPY package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force

COPY migrations migrations
COPY manifests manifests
COPY src src
COPY LICENSE tsconfig.json ./

# The home is mounted read-only; the data directory is only used while DATABASE_URL is empty.
RUN mkdir -p /home/node/home /home/node/data && chown -R node:node /home/node
USER node
VOLUME /home/node/data

EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=40s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

ENTRYPOINT ["node", "src/quorum.ts"]
CMD ["start"]
