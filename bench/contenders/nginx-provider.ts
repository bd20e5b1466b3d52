/**
 * The provider when nginx is installed: answers `/v1/responses` itself, at a cost that leaves the load's core to the
 * load, and has the stub answer everything else. As the stub, it refuses what does not carry the credential.
 */
export function nginxProvider(folder: string, port: number, stubPort: number, credential: string): string {
  const answer = JSON.stringify({
    id: 'resp_0123456789',
    object: 'response',
    model: 'gpt-5',
    output: [{ type: 'message', content: [{ type: 'output_text', text: 'a'.repeat(800) }] }],
    usage: { input_tokens: 9, output_tokens: 12, total_tokens: 21 },
  })
  return `worker_processes 1; daemon off; master_process off; pid ${folder}/provider.pid; error_log ${folder}/provider.log warn;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path ${folder}/f; proxy_temp_path ${folder}/g; fastcgi_temp_path ${folder}/h; uwsgi_temp_path ${folder}/i; scgi_temp_path ${folder}/j;
  upstream stub { server 127.0.0.1:${stubPort}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    if ($http_authorization != "Bearer ${credential}") { return 401; }
    location = /v1/responses { add_header x-request-id req_0123456789; return 200 '${answer}'; }
    location / { proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
`
}
