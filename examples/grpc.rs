//! cargo run -p examples --features grpc --example grpc
//!
//! gRPC over a WebSocket, by tonic at both ends: a call, a stream from the server, and streams in both directions at once.
//! The services are ready-made ones, health and reflection.

use std::error::Error;

use fastwebsockets_stream::{Client, Config, Listener, PayloadType};
use futures_util::stream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::new(PayloadType::Binary);
    let listener = Listener::bind("127.0.0.1:0", config.clone()).await?.path("/grpc")?;
    let address = listener.local_addr();
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let server = Server::builder().add_service(health).add_service(reflection);
    tokio::spawn(server.serve_with_incoming(listener.incoming()));

    let connector = Client::new(config).connector("/grpc")?;
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let channel = endpoint.connect_with_connector(connector).await?;

    let mut client = HealthClient::new(channel.clone());
    let service = || HealthCheckRequest { service: "tunnel".to_owned() };
    reporter.set_service_status("tunnel", ServingStatus::Serving).await;
    println!("check: {:?}", client.check(service()).await?.into_inner().status());

    let mut watch = client.watch(service()).await?.into_inner();
    println!("watch: {:?}", watch.message().await?.map(|response| response.status()));
    reporter.set_service_status("tunnel", ServingStatus::NotServing).await;
    println!("watch: {:?}", watch.message().await?.map(|response| response.status()));

    reflect(channel).await
}

/// A stream of questions, and one of answers.
async fn reflect(channel: Channel) -> Result<(), Box<dyn Error>> {
    let names = ["grpc.health.v1.Health", "grpc.health.v1.HealthCheckRequest"];
    let question = |name: &str| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(name.to_owned())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let questions = stream::iter(names.map(question));
    let mut answers = client.server_reflection_info(questions).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if let Some(MessageResponse::FileDescriptorResponse(files)) = answer.message_response {
            let bytes: usize = files.file_descriptor_proto.iter().map(Vec::len).sum();
            println!("reflection: a description of {bytes} bytes");
        }
    }
    Ok(())
}
