using Dataplane.Gateway.CommandLine;
using Dataplane.Native;

namespace Dataplane.Gateway.Commands;

/// <summary>Tells what this process may do with the system, and how to mend what it may not.</summary>
internal sealed class CapabilitiesCommand : Command
{
    public override string Name => "capabilities";

    public override string Summary => "tell what this process may and may not do here, and how to mend it";

    public override Task<int> RunAsync(Arguments arguments, Output output)
    {
        output.Out.Write(Capabilities.Probe());
        return Task.FromResult(ExitCode.Ok);
    }
}
