using Dataplane.Gateway.CommandLine;
using Dataplane.Mesh.Identity;

namespace Dataplane.Gateway.Mesh;

/// <summary>Prints the authorities of a directory.</summary>
internal sealed class AuthorityBundleCommand : Command
{
    public override string Name => "mesh ca bundle";

    public override string Summary => "print the authorities of a directory, for relays of other hosts";

    public override IReadOnlyList<string> Positionals => ["DIR"];

    public override Task<int> RunAsync(Arguments arguments, Output output)
    {
        output.Out.Write(DevelopmentAuthority.Open(arguments.Positionals[0]).ReadBundle());
        return Task.FromResult(ExitCode.Ok);
    }
}
