# The broker. Configuration at /etc/till/till.yaml, data in /var/lib/till; everything else can be read-only.
#   docker build -t till .
#   docker run --read-only -p 4100:4100 -v "$PWD/till.yaml:/etc/till/till.yaml:ro" -v till-data:/var/lib/till --env-file till.env till
ARG NODE=node:24.21.0-bookworm-slim

FROM ${NODE} AS packages
WORKDIR /till
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE}
ENV NODE_ENV=production
WORKDIR /till
COPY --from=packages /till/node_modules node_modules
COPY package.json LICENSE ./
COPY src src
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/till
USER 65532:65532
VOLUME /var/lib/till
EXPOSE 4100
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4100/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# SIGUSR1 would open the inspector, and with it the memory that holds the credentials. Four threads that compile would
# take a small machine from the one that answers.
ENTRYPOINT ["node", "--disable-sigusr1", "--v8-pool-size=1", "src/cli/till.ts"]
CMD ["serve", "--config", "/etc/till/till.yaml"]
