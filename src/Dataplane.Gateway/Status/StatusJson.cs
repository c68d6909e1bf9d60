using System.Text.Json.Serialization;
using Dataplane.Gateway.Demo.Traffic;

namespace Dataplane.Gateway.Status;

/// <summary>Reads and writes status lines without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(GatewayStatus))]
[JsonSerializable(typeof(BridgeReport))]
[JsonSerializable(typeof(BridgeReport.Flushed))]
[JsonSerializable(typeof(FlowReport))]
[JsonSerializable(typeof(ExplainReply))]
[JsonSerializable(typeof(CaptureFigures))]
[JsonSerializable(typeof(WhatIfReply))]
[JsonSerializable(typeof(TrafficReport))]
internal sealed partial class StatusJson : JsonSerializerContext;
