// SPDX-License-Identifier: Apache-2.0
//! Refuses subscriptions over HTTP. The framework's server would answer that it has failed (`Internal error`).

use futures::future::{ready, Either, Ready};
use jsonrpsee::{
	server::middleware::rpc::RpcServiceT,
	types::{error::METHOD_NOT_FOUND_CODE, ErrorObjectOwned, Request},
	MethodCallback, MethodResponse, Methods,
};
use tower::Layer;

/// What a subscription is answered, as geth does with the same code.
const ANSWER: &str =
	"subscriptions need a WebSocket: connect to the same address with ws:// in place of http://";

/// The layer that refuses those of these methods that are subscriptions.
#[derive(Clone)]
pub(super) struct NoSubscriptions(pub(super) Methods);

impl<S> Layer<S> for NoSubscriptions {
	type Service = WithoutSubscriptions<S>;

	fn layer(&self, inner: S) -> Self::Service {
		WithoutSubscriptions {
			methods: self.0.clone(),
			inner,
		}
	}
}

/// Answers all calls but subscriptions.
#[derive(Clone)]
pub(super) struct WithoutSubscriptions<S> {
	methods: Methods,
	inner: S,
}

impl<'a, S: RpcServiceT<'a>> RpcServiceT<'a> for WithoutSubscriptions<S> {
	type Future = Either<Ready<MethodResponse>, S::Future>;

	fn call(&self, request: Request<'a>) -> Self::Future {
		use MethodCallback::{Subscription, Unsubscription};
		match self.methods.method_with_name(&request.method) {
			Some((_, Subscription(_) | Unsubscription(_))) => {
				let error = ErrorObjectOwned::owned(METHOD_NOT_FOUND_CODE, ANSWER, None::<()>);
				let answer = MethodResponse::error(request.id, error);
				Either::Left(ready(answer.with_extensions(request.extensions)))
			}
			_ => Either::Right(self.inner.call(request)),
		}
	}
}
