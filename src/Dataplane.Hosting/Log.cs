using Microsoft.Extensions.Logging;

namespace Dataplane.Hosting;

/// <summary>Every log message of the package, in one place. Never per packet: what happens to packets is in counters.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 1, EventName = "Started", Level = LogLevel.Information,
        Message = "The data plane forwards: {PortCount} ports ({Ports}), configuration from {Source}.")]
    public static partial void Started(ILogger logger, int portCount, string ports, string source);

    [LoggerMessage(EventId = 2, EventName = "Stopped", Level = LogLevel.Information, Message = "The data plane has stopped: {Accounting}.")]
    public static partial void Stopped(ILogger logger, string accounting);

    [LoggerMessage(EventId = 3, EventName = "WorkerDied", Level = LogLevel.Critical,
        Message = "The data plane's worker has died and nothing is forwarded any more; the host stops.")]
    public static partial void WorkerDied(ILogger logger, Exception error);

    [LoggerMessage(EventId = 10, EventName = "ConfigurationApplied", Level = LogLevel.Information,
        Message = "Configuration from {Source} applied as version {Version}: {Opened} ports opened, {Closed} closed.")]
    public static partial void ConfigurationApplied(ILogger logger, string source, int version, int opened, int closed);

    [LoggerMessage(EventId = 11, EventName = "ConfigurationRejected", Level = LogLevel.Error,
        Message = "Configuration from {Source} REJECTED, the last good one stays in force (version {Version}). Errors: {Errors}")]
    public static partial void ConfigurationRejected(ILogger logger, string source, int version, string errors);

    [LoggerMessage(EventId = 12, EventName = "ConfigurationFailed", Level = LogLevel.Error,
        Message = "Configuration from {Source} could not be put in force, the last good one stays (version {Version}).")]
    public static partial void ConfigurationFailed(ILogger logger, Exception error, string source, int version);

    [LoggerMessage(EventId = 20, EventName = "BackendChanged", Level = LogLevel.Information, Message = "Backend changed, tables version {Version}: {Change}")]
    public static partial void BackendChanged(ILogger logger, int version, string change);

    [LoggerMessage(EventId = 21, EventName = "BackendDown", Level = LogLevel.Warning, Message = "Backend down, tables version {Version}: {Change}")]
    public static partial void BackendDown(ILogger logger, int version, string change);
}
