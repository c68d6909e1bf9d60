using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Dataplane.Mesh.Registration;

/// <summary>Registers the application once it has started and takes it out before it stops, so that no flow is sent to who is going.</summary>
internal sealed partial class DataplaneRegistrationService(IOptions<DataplaneRegistrationOptions> options, IHostApplicationLifetime lifetime,
    ILogger<DataplaneRegistrationService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        DataplaneRegistrationOptions wanted = options.Value;
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration _ = lifetime.ApplicationStarted.Register(started.SetResult);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await started.Task.WaitAsync(ending.Token).ConfigureAwait(false);
            using var client = new MeshClient(wanted.Registry ?? throw new InvalidOperationException("DataplaneRegistrationOptions.Registry is missing: the address of the registry is needed."), wanted.Token);
            await using MeshLease lease = await RegisterAsync(client, wanted, ending.Token).ConfigureAwait(false);
            LogRegistered(wanted.Namespace, wanted.Service, wanted.Id);
            await Task.Delay(Timeout.Infinite, ending.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }

    private async Task<MeshLease> RegisterAsync(MeshClient client, DataplaneRegistrationOptions wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await client.RegisterAsync(wanted.Service, wanted.Id, wanted.Endpoint, wanted.Namespace, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is HttpRequestException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                LogAway(wanted.Registry, exception.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(false);
            }
            catch (MeshRegistrationException refused)
            {
                // A registry that is full, or has another word since, is no reason for the application to end.
                LogRefused(wanted.Registry, refused.Message);
                await Task.Delay(TimeSpan.FromSeconds(5), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Registered {Namespace}/{Service} as {Id}.")]
    private partial void LogRegistered(string @namespace, string service, string id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The registry {Registry} does not answer, trying again: {Problem}")]
    private partial void LogAway(Uri? registry, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "The registry {Registry} refuses the registration, trying again: {Problem}")]
    private partial void LogRefused(Uri? registry, string problem);
}
