import java.io.FileInputStream;
import java.util.HashMap;
import java.util.Properties;
import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.runtime.TckRuntime;

/** Runs the kit against the connector of a properties file; prints one line for each failure. */
public class Run {
    public static void main(String[] arguments) throws Exception {
        var read = new Properties();
        try (var file = new FileInputStream(arguments[0])) {
            read.load(file);
        }
        var properties = new HashMap<String, String>();
        read.forEach((name, value) -> properties.put(name.toString(), value.toString()));
        var builder = TckRuntime.Builder.newInstance()
                .properties(properties)
                .addPackage("org.eclipse.dataspacetck.dsp.verification")
                .monitor(new ConsoleMonitor(false, false));
        if (arguments.length > 1) {
            builder.displayNameMatching(name -> name.startsWith(arguments[1]));
        }
        var summary = builder.build().execute();
        summary.getFailures().forEach(one ->
                System.out.println("FAILED " + one.getTestIdentifier().getDisplayName()
                        + " :: " + one.getException()));
        System.out.printf("RESULT found=%d passed=%d failed=%d skipped=%d%n",
                summary.getTestsFoundCount(), summary.getTestsSucceededCount(),
                summary.getTestsFailedCount(), summary.getTestsSkippedCount());
        System.exit(summary.getTestsFailedCount() == 0 && summary.getTestsFoundCount() > 0 ? 0 : 1);
    }
}
