//! This crate's types as those of fastwebsockets, and back.

use crate::{CloseCode, OpCode, PayloadType, Role};

impl From<fastwebsockets::Role> for Role {
    fn from(role: fastwebsockets::Role) -> Self {
        match role {
            fastwebsockets::Role::Client => Role::Client,
            fastwebsockets::Role::Server => Role::Server,
        }
    }
}

impl From<Role> for fastwebsockets::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Client => fastwebsockets::Role::Client,
            Role::Server => fastwebsockets::Role::Server,
        }
    }
}

impl From<fastwebsockets::OpCode> for OpCode {
    fn from(opcode: fastwebsockets::OpCode) -> Self {
        use fastwebsockets::OpCode as Their;
        match opcode {
            Their::Continuation => OpCode::Continuation,
            Their::Text => OpCode::Text,
            Their::Binary => OpCode::Binary,
            Their::Close => OpCode::Close,
            Their::Ping => OpCode::Ping,
            Their::Pong => OpCode::Pong,
        }
    }
}

impl From<OpCode> for fastwebsockets::OpCode {
    fn from(opcode: OpCode) -> Self {
        use fastwebsockets::OpCode as Their;
        match opcode {
            OpCode::Continuation => Their::Continuation,
            OpCode::Text => Their::Text,
            OpCode::Binary => Their::Binary,
            OpCode::Close => Their::Close,
            OpCode::Ping => Their::Ping,
            OpCode::Pong => Their::Pong,
        }
    }
}

impl From<PayloadType> for fastwebsockets::OpCode {
    fn from(payload_type: PayloadType) -> Self {
        OpCode::from(payload_type).into()
    }
}

impl From<fastwebsockets::CloseCode> for CloseCode {
    fn from(code: fastwebsockets::CloseCode) -> Self {
        u16::from(code).into()
    }
}

impl From<CloseCode> for fastwebsockets::CloseCode {
    fn from(code: CloseCode) -> Self {
        u16::from(code).into()
    }
}
